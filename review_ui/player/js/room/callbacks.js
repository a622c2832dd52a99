// What the rail's buttons and the timeline's marks do to the room.

/** What the rail and the timeline call. */
export function callbacksOf(room) {
  const { marking } = room;
  const seekStill = (tNs) => {
    room.deck.pause();
    room.seek(tNs);
  };
  return {
    act: (action, argument) => room.act(action, argument),
    retry: () => room.log.retry(),
    changed: () => room.render(),
    seek: seekStill,
    scrub: seekStill,
    trim: (range) => marking.trim(range),
    segments: (segments) => marking.setSegments(segments),
    unsegment: (index) => marking.removeSegment(index),
    pick: (index) => marking.label(index),
    label: (index) => marking.label(index),
    unflag: (flag) => marking.unflag(flag),
    tag: (tag) => room.commit([{ kind: "tag", tag, action: "add" }]),
    untag: (tag) => room.commit([{ kind: "tag", tag, action: "remove" }]),
    note: (text) => room.commit([{ kind: "note", text }]),
    compare: (other) => room.flow.compare(other),
  };
}

"""The pages before the app: plain HTML that needs no script and loads nothing."""

from __future__ import annotations

from html import escape

STYLE = """
:root { color-scheme: light dark; --ground: #fcfcfb; --card: #fff; --text: #22292c; --faint: #5d6a70;
        --line: #dde2e3; --accent: #0b6e7f; --on-accent: #fff; --wrong: #b23a34; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14191b; --card: #1e2528; --text: #e4e9ea; --faint: #9fadb3;
          --line: #313b3f; --accent: #58b5c5; --on-accent: #0d1416; --wrong: #ea837c; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--ground);
       color: var(--text); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { width: min(23rem, calc(100vw - 2rem)); padding: 2rem; background: var(--card);
       border: 1px solid var(--line); border-radius: .75rem; }
h1 { margin: 0 0 .25rem; font-size: 1.3rem; font-weight: 600; }
p { margin: 0 0 1rem; color: var(--faint); }
p.wrong { color: var(--wrong); }
label { display: block; margin-bottom: .25rem; font-weight: 500; }
input { width: 100%; padding: .55rem .7rem; color: inherit; background: var(--ground); font: inherit;
        border: 1px solid var(--line); border-radius: .5rem; }
button, a.button { display: block; width: 100%; margin-top: 1rem; padding: .6rem; border: 0; border-radius: .5rem;
        background: var(--accent); color: var(--on-accent); font: inherit; font-weight: 600; text-align: center;
        text-decoration: none; cursor: pointer; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
"""


def sign_in_page(action: str, *, by_token: bool, provider: str | None, next_path: str, wrong: str = "") -> str:
    """Where people sign in. provider: where a login at the identity provider begins. wrong: why the last try failed."""
    parts = ["<h1>teleloom review</h1>", "<p>Sign in to go on.</p>"]
    if wrong:
        parts.append(f'<p class="wrong" role="alert">{escape(wrong)}</p>')
    if by_token:
        parts.append(
            f'<form method="post" action="{escape(action)}">'
            f'<input type="hidden" name="next" value="{escape(next_path)}">'
            '<label for="token">Token</label><input id="token" name="token" type="password" required autofocus '
            'autocomplete="current-password" spellcheck="false"><button>Sign in</button></form>'
        )
    if provider:
        parts.append(f'<a class="button" href="{escape(provider)}">Sign in with your organisation</a>')
    return _page("Sign in", "".join(parts))


def stranger_page(email: str, sign_out: str) -> str:
    """For somebody whom the provider knows and this server does not."""
    return _page(
        "No access",
        f"<h1>teleloom review</h1><p>You are signed in as {escape(email)}, who has no access here. Ask whoever runs "
        f'this server to add the address.</p><a class="button" href="{escape(sign_out)}">Sign out</a>',
    )


def onward_page(path: str) -> str:
    """Goes on to `path` at once, as a step from this site: a browser keeps a strict cookie from steps that began
    elsewhere, such as a link in a mail.
    """
    link = escape(path)
    return _page(
        "One moment",
        f'<h1>teleloom review</h1><p><a href="{link}">Go on</a></p>',
        head=f'<meta http-equiv="refresh" content="0;url={link}">',
    )


def _page(title: str, body: str, head: str = "") -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{head}<title>{escape(title)} · teleloom review</title><style>{STYLE}</style></head>"
        f"<body><main>{body}</main></body></html>"
    )

"""The app's looks, as Streamlit options: one accent colour, the reader's own system font, light and dark."""

from __future__ import annotations

from collections.abc import Mapping

SYSTEM_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif"
SYSTEM_CODE_FONT = "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"

_BOTH: Mapping[str, object] = {
    "font": SYSTEM_FONT,
    "codeFont": SYSTEM_CODE_FONT,
    "baseFontSize": 15,
    "baseRadius": "0.5rem",
    "headingFontSizes": ["1.6rem", "1.2rem", "1.05rem", "1rem", "0.95rem", "0.9rem"],
    "headingFontWeights": [600, 600, 600, 600, 600, 600],
    "metricValueFontSize": "1.7rem",
    "paddingTop": "1rem",
    "paddingBottom": "0.5rem",
}

_LIGHT: Mapping[str, object] = {
    "primaryColor": "#0b6e7f",
    "backgroundColor": "#fcfcfb",
    "secondaryBackgroundColor": "#f1f3f3",
    "textColor": "#22292c",
    "linkColor": "#0b6e7f",
    "borderColor": "#dde2e3",
    "greenColor": "#1f8a5b",
    "redColor": "#c2453f",
    "orangeColor": "#c06a15",
    "chartCategoricalColors": ["#0b6e7f", "#1f8a5b", "#c2453f", "#c06a15", "#7a63b8", "#6c7a80"],
}

_DARK: Mapping[str, object] = {
    "primaryColor": "#1f8293",
    "backgroundColor": "#14191b",
    "secondaryBackgroundColor": "#1e2528",
    "textColor": "#e4e9ea",
    "linkColor": "#6cc3d1",
    "borderColor": "#313b3f",
    "greenColor": "#5dbf92",
    "redColor": "#ea837c",
    "orangeColor": "#e3a05a",
    "chartCategoricalColors": ["#58b5c5", "#5dbf92", "#ea837c", "#e3a05a", "#ab98df", "#94a2a8"],
}

# Status to Streamlit's colour names, and to the two charts' colours: light, dark.
STATUS_COLOURS: Mapping[str, str] = {"approved": "green", "rejected": "red", "disputed": "orange", "unreviewed": "gray"}
# In the cells of a table, where the colour is a ground that must bear text in both themes.
STATUS_PILLS: Mapping[str, str] = {
    "approved": "#1f8a5b55",
    "rejected": "#c2453f55",
    "disputed": "#d98a2b66",
    "unreviewed": "#7d8a8f3d",
}
STATUS_CHART_COLOURS: Mapping[str, tuple[str, str]] = {
    "approved": ("#1f8a5b", "#5dbf92"),
    "rejected": ("#c2453f", "#ea837c"),
    "disputed": ("#c06a15", "#e3a05a"),
    "unreviewed": ("#c5cdcf", "#48545a"),
}

STREAMLIT_OPTIONS: Mapping[str, object] = {
    **{f"theme.{name}": value for name, value in _BOTH.items()},
    **{f"theme.light.{name}": value for name, value in _LIGHT.items()},
    **{f"theme.dark.{name}": value for name, value in _DARK.items()},
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
    "client.showErrorLinks": False,
    "client.showSidebarNavigation": False,
    "browser.gatherUsageStats": False,
    "server.fileWatcherType": "none",
    "server.runOnSave": False,
}
"""What the server gives Streamlit before it starts; the address, the port and TLS are the server's own."""

"""The review's HTTP side: a JSON API, media, and the server that carries them and the app."""

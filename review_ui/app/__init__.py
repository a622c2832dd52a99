"""The review in the browser: Streamlit pages over the review service."""

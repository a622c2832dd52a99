"""The Robot and Camera contracts, and the drivers that fulfil them, one file or folder each."""

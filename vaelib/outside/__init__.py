"""Where the library meets what is no mathematics: what callers give, terminals, files, folders of images, the network."""

"""One folder a paper, one script a published table or figure."""

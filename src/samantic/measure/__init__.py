"""What a model is worth: figures of labelled pairs, and what is written of them."""

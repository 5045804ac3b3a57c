class Words:
    """A tokenizer of numbers: each word is its token's id."""

    open_ids = frozenset()
    rewrites = ()
    num_tokens = 1 << 16

    def encode(self, text):
        return [int(word) for word in text.split()]

    def piece(self, id_):
        return self.decode([id_])

    def decode(self, ids):
        return " ".join(map(str, ids))

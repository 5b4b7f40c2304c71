"""What several steps know of models: how they are made, exported, asked and judged. Knows no step."""

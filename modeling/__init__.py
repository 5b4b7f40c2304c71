"""What several steps need for models: how they are built, exported, queried and evaluated. Knows no step."""

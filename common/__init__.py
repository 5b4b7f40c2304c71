"""What any module may use, a subject a module. Knows neither steps nor models nor pictures."""

"""The emulated AWS: adapters on moto, one module per service. Nothing outside this package knows moto."""

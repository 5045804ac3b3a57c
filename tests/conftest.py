"""What every test relies on, whoever starts them."""

import signal

# A shell starts a background job with Ctrl-C ignored, and every process below inherits that: a test that
# interrupts would wait for ever. With a handler here, those that are started below have the default again.
signal.signal(signal.SIGINT, signal.default_int_handler)

package org.xenolith.app.xl;

/** A configuration that cannot be used; the message says where and why. */
public final class XlException extends RuntimeException {
  XlException(String message) {
    super(message);
  }
}

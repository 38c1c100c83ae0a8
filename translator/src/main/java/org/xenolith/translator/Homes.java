package org.xenolith.translator;

/** Which register of the host holds each general register of the guest at the place that is emitted: {@link Host#HOME}, mostly. */
final class Homes {
  private int[] now = Host.HOME;

  /** The host register that holds one of the guest, or -1 if it is in {@link State}. */
  int of(int guest) {
    return now[guest];
  }

  /** All of them, for {@link #use}. */
  int[] now() {
    return now;
  }

  void use(int[] homes) {
    now = homes;
  }
}

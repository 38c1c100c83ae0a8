package org.xenolith.translator;

/** Interpreter and translation did not do the same: a defect of ours, never the guest's doing. The message has both states. */
public final class LockstepDifference extends RuntimeException {
  private static final long serialVersionUID = 1;

  LockstepDifference(String message) {
    super(message);
  }
}

package org.xenolith.machine;

/** How a guest ends. Whoever brings the end about (a device, a processor, a hypervisor) says so here; what is said first counts. */
public final class Ending {
  private final boolean stopAtUnknown;
  private RunOutcome outcome;

  /**
   * @param stopAtUnknown whether what is not implemented ends the run
   */
  public Ending(boolean stopAtUnknown) {
    this.stopAtUnknown = stopAtUnknown;
  }

  /** The guest has ended. */
  public void end(RunOutcome.Kind kind, String reason) {
    if (outcome == null) {
      outcome = new RunOutcome(kind, reason);
    }
  }

  /** Something that a real machine has and this one does not was met; the caller goes on as a machine without it would. */
  public void unimplemented(String what) {
    if (stopAtUnknown) {
      end(RunOutcome.Kind.UNIMPLEMENTED, what);
    }
  }

  /** Whether the guest has ended. */
  public boolean over() {
    return outcome != null;
  }

  /** How it ended, or null if it has not. */
  public RunOutcome outcome() {
    return outcome;
  }
}

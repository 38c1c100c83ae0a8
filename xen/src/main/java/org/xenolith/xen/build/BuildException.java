package org.xenolith.xen.build;

/** A domain that cannot be built. The message is one line: what is wrong, and how to mend it. */
public final class BuildException extends RuntimeException {
  private final String problem;
  private final String advice;

  /**
   * @param problem what is wrong
   * @param advice what a person can do about it
   */
  public BuildException(String problem, String advice) {
    super(problem + "; " + advice);
    this.problem = problem;
    this.advice = advice;
  }

  /** What is wrong. */
  public String problem() {
    return problem;
  }

  /** How to mend it. */
  public String advice() {
    return advice;
  }
}

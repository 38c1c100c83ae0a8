package org.xenolith.image;

/** An image that cannot be used. The message is one line: what is wrong and where, then how to mend it. */
public final class ImageException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final String problem;
  private final String advice;

  /**
   * @param problem what is wrong, and at which offset or in which part
   * @param advice what a person can do about it
   */
  public ImageException(String problem, String advice) {
    this(problem, advice, null);
  }

  public ImageException(String problem, String advice, Throwable cause) {
    super(problem + "; " + advice, cause);
    this.problem = problem;
    this.advice = advice;
  }

  /** What is wrong, and where. */
  public String problem() {
    return problem;
  }

  /** How to mend it. */
  public String advice() {
    return advice;
  }

  /** The same complaint about a named file. */
  ImageException in(Object file) {
    return new ImageException(file + ": " + problem, advice, getCause());
  }

  static ImageException truncated(String what, long offset, long length, long available) {
    return new ImageException(
        "truncated: %s at 0x%x needs %d bytes, %d are there".formatted(what, offset, length, Math.max(0, available - offset)),
        "get the file again");
  }

  static ImageException corrupt(String what) {
    return new ImageException("corrupt: " + what, "get the file again");
  }
}

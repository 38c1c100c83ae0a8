package org.xenolith.app;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;

/** An end of a command that its user can mend: what went wrong and where, how to mend it, and the exit status. */
public final class CommandFailure extends RuntimeException {
  private final int status;
  private final String remedy;

  /**
   * @param status one of {@link ExitStatus}
   * @param message what is wrong and where, in one line
   * @param remedy how to mend it; lines after the first, empty if there is nothing to say
   */
  public CommandFailure(int status, String message, String remedy) {
    super(message);
    this.status = status;
    this.remedy = remedy;
  }

  /** Input that cannot be used; status {@link ExitStatus#USAGE}. */
  public static CommandFailure unusable(String message, String remedy) {
    return new CommandFailure(ExitStatus.USAGE, message, remedy);
  }

  /** Why a file could not be used, without its name, which Java's own messages often are and no more. */
  public static String why(IOException e) {
    return switch (e) {
      case NoSuchFileException missing -> "no such file or folder";
      case AccessDeniedException denied -> "permission denied";
      case FileSystemException other when other.getReason() != null -> other.getReason();
      default -> e.getMessage();
    };
  }

  public int status() {
    return status;
  }

  public String remedy() {
    return remedy;
  }
}

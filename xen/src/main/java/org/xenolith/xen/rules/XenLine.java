package org.xenolith.xen.rules;

/**
 * A line that a real Xen prints at a refusal.
 *
 * @param text without the prefix {@code (XEN)}, file and line
 * @param build which builds of Xen print it
 */
public record XenLine(String text, Build build) {
  /** Builds of Xen. */
  public enum Build {
    /** Debug builds only: gdprintk, which a release build compiles to nothing (xen/lib.h). */
    DEBUG,
    /** Release builds, too: printk and gprintk. */
    EVERY
  }

  static XenLine debug(String text) {
    return new XenLine(text, Build.DEBUG);
  }

  static XenLine every(String text) {
    return new XenLine(text, Build.EVERY);
  }
}

package org.xenolith.isa;

/** The sixteen conditions of JCC, SETCC and CMOVCC by number (Intel SDM volume 1, appendix B). Bit 0 negates. */
public final class Condition {
  private static final String[] NAMES = {"o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g"};
  private static final int[] FLAGS = {
    Encoding.OF,
    Encoding.CF,
    Encoding.ZF,
    Encoding.CF | Encoding.ZF,
    Encoding.SF,
    Encoding.PF,
    Encoding.SF | Encoding.OF,
    Encoding.SF | Encoding.OF | Encoding.ZF
  };

  private Condition() {}

  /** The suffix that names the condition: "o", "ne" and so on. */
  public static String name(int condition) {
    return NAMES[condition];
  }

  /** The flags that the condition looks at. */
  public static int flags(int condition) {
    return FLAGS[condition >> 1];
  }

  /** Whether the condition holds with these flags. */
  public static boolean holds(int condition, long rflags) {
    boolean positive =
        switch (condition >> 1) {
          case 6 -> differ(rflags);
          case 7 -> differ(rflags) || (rflags & Encoding.ZF) != 0;
          default -> (rflags & FLAGS[condition >> 1]) != 0;
        };
    return positive == ((condition & 1) == 0);
  }

  private static boolean differ(long rflags) {
    return ((rflags & Encoding.SF) != 0) != ((rflags & Encoding.OF) != 0);
  }
}

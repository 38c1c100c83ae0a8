package org.xenolith.xen.xenstore;

/**
 * What a domain may do with a node. The first permission of a node names its owner, who may do everything, and what domains may do that are
 * not named in the others.
 *
 * @param domid the domain, or {@link #ANY_DOMAIN}
 * @param access {@link #NONE}, or {@link #READ} and {@link #WRITE} together
 */
public record Permission(int domid, int access) {
  public static final int NONE = 0, READ = 1, WRITE = 2;

  /** Every domain (DOMID_ANY). */
  public static final int ANY_DOMAIN = 0x7ff5;

  private static final String LETTERS = "nrwb";

  /** From the protocol's form: a letter n, r, w or b and the domain's number. */
  static Permission parse(String text) throws StoreError {
    int access = text.isEmpty() ? -1 : LETTERS.indexOf(text.charAt(0));
    if (access < 0) {
      throw StoreError.EINVAL;
    }
    try {
      return new Permission(Integer.decode(text.substring(1)), access);
    } catch (NumberFormatException e) {
      throw StoreError.EINVAL;
    }
  }

  /** Whether it speaks of a domain. */
  boolean names(int domain) {
    return domid == domain || domid == ANY_DOMAIN;
  }

  @Override
  public String toString() {
    return LETTERS.charAt(access) + Integer.toUnsignedString(domid);
  }
}

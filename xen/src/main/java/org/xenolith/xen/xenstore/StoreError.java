package org.xenolith.xen.xenstore;

/** A request's failure, by the name that goes over the wire (public header io/xs_wire.h, xsd_errors). */
final class StoreError extends Exception {
  private static final long serialVersionUID = 1;

  static final StoreError EINVAL = new StoreError("EINVAL");
  static final StoreError EACCES = new StoreError("EACCES");
  static final StoreError EEXIST = new StoreError("EEXIST");
  static final StoreError ENOENT = new StoreError("ENOENT");
  static final StoreError ENOMEM = new StoreError("ENOMEM");
  static final StoreError ENOSPC = new StoreError("ENOSPC");
  static final StoreError ENOSYS = new StoreError("ENOSYS");
  static final StoreError EBUSY = new StoreError("EBUSY");
  static final StoreError EAGAIN = new StoreError("EAGAIN");
  static final StoreError E2BIG = new StoreError("E2BIG");
  static final StoreError EPERM = new StoreError("EPERM");

  private StoreError(String name) {
    super(name, null, false, false);
  }
}

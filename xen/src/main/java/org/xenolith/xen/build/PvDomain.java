package org.xenolith.xen.build;

/**
 * Where the builder put what a domain starts with.
 *
 * @param p2m the frame of each pfn
 * @param startInfoVa linear address of struct start_info
 * @param entry where vcpu 0 starts
 * @param stackTop its first stack pointer
 * @param rootMfn its page-table root
 * @param storeMfn frame of the xenstore ring
 * @param consoleMfn frame of the console ring
 * @param mappedEnd linear address after the last that is mapped
 */
public record PvDomain(
    long[] p2m, long startInfoVa, long entry, long stackTop, long rootMfn, long storeMfn, long consoleMfn, long mappedEnd) {}

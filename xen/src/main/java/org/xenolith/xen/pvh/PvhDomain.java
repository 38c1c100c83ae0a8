package org.xenolith.xen.pvh;

/**
 * Where the builder put what a container starts with.
 *
 * @param entry where vcpu 0 starts, guest-physical like all addresses here
 * @param startInfo address of struct hvm_start_info
 * @param storeMfn machine frame of the xenstore ring
 * @param consoleMfn machine frame of the console ring
 * @param lowEnd end of the memory below 4 GiB
 */
public record PvhDomain(long entry, long startInfo, long storeMfn, long consoleMfn, long lowEnd) {}

/**
 * GDB's remote serial protocol (GDB manual, appendix "GDB Remote Serial Protocol") for a running machine: its vcpus are threads, its
 * breakpoints are the processors' ({@link org.xenolith.cpu.Breakpoints}), so a debugged run is the same run.
 *
 * <p>A thread of {@link org.xenolith.insight.gdb.GdbServer} reads what gdb sends and only puts it into a queue; everything else happens on
 * the machine's own thread while the machine stands still.
 */
package org.xenolith.insight.gdb;

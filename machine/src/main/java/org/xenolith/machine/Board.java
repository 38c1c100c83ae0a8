package org.xenolith.machine;

import org.xenolith.cpu.Bus;
import org.xenolith.cpu.Clock;
import org.xenolith.cpu.CodeCache;
import org.xenolith.cpu.GuestMemory;
import org.xenolith.machine.apic.ApicBus;

/**
 * What the processors of a machine have in common.
 *
 * @param bus machine addresses that are neither RAM nor a local APIC
 * @param ports what IN and OUT reach
 */
public record Board(
    GuestMemory memory,
    CodeCache code,
    Clock clock,
    EventQueue events,
    RunDigest digest,
    Ending ending,
    Ports ports,
    Bus bus,
    ApicBus apics) {}

/**
 * The tables by which firmware describes a machine to its operating system. Source: Advanced Configuration and Power Interface
 * Specification 6.5, chapters 5 (tables), 6.4 (resource descriptors) and 20 (encoding of AML).
 *
 * <p>{@link org.xenolith.machine.acpi.AcpiTables} puts tables into memory; {@link org.xenolith.machine.acpi.Madt}, {@link
 * org.xenolith.machine.acpi.Fadt} and {@link org.xenolith.machine.acpi.Aml} make them.
 */
package org.xenolith.machine.acpi;

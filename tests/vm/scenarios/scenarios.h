/* SPDX-License-Identifier: MIT */
/* The scenarios, and the devices of their VM (tests/vm/run). */
#ifndef SCENARIOS_H
#define SCENARIOS_H

#define A0	"0000:01:00.0"	/* e1000e, two functions without ACS */
#define A1	"0000:01:00.1"
#define BRIDGE	"0000:02:00.0"	/* from PCI Express to conventional PCI: */
#define B0	"0000:03:01.0"	/* e1000, two functions */
#define B1	"0000:03:01.1"
#define B2	"0000:03:02.0"	/* edu, two functions */
#define B3	"0000:03:02.1"
#define C0	"0000:04:00.0"	/* e1000e, alone below a port with ACS */
#define D0	"0000:00:10.0"	/* edu, two functions on the root bus */
#define D1	"0000:00:10.1"
#define S0	"0000:05:00.0"	/* e1000e, below a port without ACS */

/* of the steering scenarios alone */
#define T0	"0000:01:00.0"	/* tph-emu, two functions without ACS */
#define T1	"0000:01:00.1"
#define T2	"0000:01:00.2"	/* e1000e, in the same device */

/* examples 1 to 3 of the thread */
void example_1(void);
void example_2(void);
void example_3(void);

/* what the thread requires: R1 .. R20, those that need another kernel command line apart */
void requirements(void);
void requirements_passthrough(void);
void requirements_without_remapping(void);

/* the examples with tph-vfio-pci: where steering is off */
void steering(void);

#endif /* SCENARIOS_H */

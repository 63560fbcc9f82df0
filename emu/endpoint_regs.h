/* SPDX-License-Identifier: MIT */
/*
 * BAR 0 of the emulated endpoint, for its model and for the drivers and tests that use it.
 * Registers are 32 bits wide, little endian, accessed whole and aligned; anything else reads as
 * all ones and ignores writes. doc/emulated-endpoint.md explains them.
 */
#ifndef EMU_ENDPOINT_REGS_H
#define EMU_ENDPOINT_REGS_H

#define EP_BAR			0
#define EP_BAR_SIZE		0x10000

/* identity, read only */
#define EP_ID			0x000
#define  EP_ID_VALUE		0x45485054	/* "TPHE" */
#define EP_VERSION		0x004
#define  EP_VERSION_VALUE	1
#define EP_VECTORS		0x008		/* number of MSI-X vectors, 0 without MSI-X */
#define EP_ENTRIES		0x00c		/* number of ST entries, 0 without an ST table */

/* DMA engine: set up, then ring the doorbell */
#define EP_DMA_SRC_LO		0x100		/* IOVA read from: READ, COPY */
#define EP_DMA_SRC_HI		0x104
#define EP_DMA_DST_LO		0x108		/* IOVA written to: WRITE, COPY */
#define EP_DMA_DST_HI		0x10c
#define EP_DMA_LENGTH		0x110		/* bytes, 1 .. EP_DMA_LENGTH_MAX */
#define  EP_DMA_LENGTH_MAX	(1u << 20)
#define EP_DMA_PATTERN		0x114		/* WRITE: these four bytes, again and again */
#define EP_DMA_HINT		0x118		/* what to put on the requests */
#define  EP_HINT_SELECT_MASK	0x0000ffffu	/* ST entry / vector number, or the tag itself */
#define  EP_HINT_SOURCE_SHIFT	16
#define  EP_HINT_SOURCE_MASK	0x00030000u
#define   EP_HINT_PLAIN		0u		/* no hint: TH = 0 */
#define   EP_HINT_ENTRY		1u		/* on behalf of ST entry (= vector) SELECT */
#define   EP_HINT_TAG		2u		/* tag SELECT: Device Specific mode alone */
#define  EP_HINT_PH_SHIFT	20
#define  EP_HINT_PH_MASK	0x00300000u	/* processing hint, 0..3 */
#define EP_DMA_VECTOR		0x11c		/* MSI-X vector that tells the end, or none */
#define  EP_DMA_NO_VECTOR	0xffffffffu
#define EP_DMA_DOORBELL		0x120		/* write an EP_DMA_* command; ignored while busy */
#define  EP_DMA_WRITE		1u
#define  EP_DMA_READ		2u
#define  EP_DMA_COPY		3u
#define EP_DMA_STATUS		0x124		/* read only */
#define  EP_DMA_IDLE		0u
#define  EP_DMA_BUSY		1u
#define  EP_DMA_DONE		2u
#define  EP_DMA_FAULTED		3u
#define EP_DMA_FAULT		0x128		/* why the last command faulted, read only */
#define  EP_FAULT_NONE		0u
#define  EP_FAULT_BUS_MASTER	1u		/* Bus Master Enable is clear */
#define  EP_FAULT_UNMAPPED	2u		/* no mapping at that IOVA */
#define  EP_FAULT_PERMISSION	3u		/* mapped, but not for this direction */
#define  EP_FAULT_COMMAND	4u		/* unknown command, or length out of range */
#define  EP_FAULT_TAG		5u		/* the MSI-X table could not be read */
#define  EP_FAULT_POWER		6u		/* not in D0 */
#define  EP_FAULT_COMPLETION	7u		/* read: none came, it was malformed */
#define EP_DMA_SUM		0x12c		/* READ, COPY: sum of the bytes read, read only */
#define EP_DMA_REPEAT		0x130		/* runs of the last command per config write */

/* the instrument: counts that no reset clears, except by EP_COUNT_CLEAR */
#define EP_COUNT_SELECT		0x200		/* config space offset, or EP_COUNT_ALL */
#define  EP_COUNT_ALL		0xffffffffu
#define EP_COUNT_CFG_READS	0x204		/* read accesses that touched the selected dword */
#define EP_COUNT_CFG_WRITES	0x208		/* write accesses that touched the selected dword */
#define EP_COUNT_TPH		0x20c		/* accesses that touched the TPH capability */
#define EP_COUNT_OFF_WINDOWS	0x210		/* requester went from enabled to disabled */
#define EP_COUNT_ST_WRITES	0x214		/* writes that touched the capability's ST table */
#define EP_COUNT_FAULTS		0x218		/* DMA faults */
#define EP_COUNT_RESETS		0x21c		/* function resets, by any way */
#define EP_COUNT_CLEAR		0x220		/* write anything: all counts become 0 */
#define EP_COUNT_RECEIVED	0x224		/* requests of other functions, good or bad */
#define EP_COUNT_MALFORMED	0x228		/* those that were malformed */
#define EP_COUNT_ASLEEP_READS	0x238		/* configuration reads in D3hot, not those of PM, */
#define EP_COUNT_ASLEEP_WRITES	0x23c		/* writes likewise, */
#define EP_COUNT_ASLEEP_MEMORY	0x240		/* and accesses to BARs */

/* errors: bits as in AER's status registers, set there as if detected; write only, needs aer=on */
#define EP_ERROR_CORRECTABLE	0x230
#define EP_ERROR_UNCORRECTABLE	0x234

/*
 * Receive queues, and as many transmit queues: the key queues says how many; without any, all of
 * this reads 0. Packets are received when they are ordered, not when time has passed.
 */
#define EP_QUEUES		0x400		/* number of queues of each direction, read only */
#define EP_RX_GENERATE		0x404		/* write: so many packets more; read: still to come */
#define  EP_RX_PENDING_MAX	65536u		/* what is ordered beyond that is not generated */
#define EP_RX_NEXT		0x408		/* number of the next packet, read only */
#define EP_RX_SPREAD		0x40c		/* queues 0 .. n - 1 take part, 1 .. EP_QUEUES */
#define EP_RX_SOURCE		0x410		/* read only */
#define  EP_RX_PATTERN		0u		/* packet n: the formula in the manual */
#define  EP_RX_FILE		1u		/* the file of the key packets, again and again */
#define EP_TX_NEXT		0x414		/* number of the next packet sent, read only */
#define EP_RXQ			0x1000		/* receive queue q: EP_RXQ + q * EP_QUEUE_STRIDE */
#define EP_TXQ			0x1800		/* transmit queue q: EP_TXQ + q * EP_QUEUE_STRIDE */
#define EP_QUEUE_STRIDE		0x80u
#define EP_QUEUE_MAX		16u
#define EP_QUEUE_CONTROL	0x00
#define  EP_QUEUE_ENABLE	0x00000001u	/* 0 to 1: take base .. vector, begin at descriptor 0 */
#define  EP_QUEUE_SPLIT		0x00000002u	/* receive: headers to buffers of their own; taken too */
#define  EP_QUEUE_INTERRUPT	0x00000004u	/* tell of packets; of those before, too */
#define EP_QUEUE_STATUS		0x04		/* read only */
#define  EP_QUEUE_RUNNING	0x00000001u
#define  EP_QUEUE_ERROR		0x00000002u	/* stopped; EP_QUEUE_FAULT says why */
#define EP_QUEUE_BASE_LO	0x08		/* IOVA of the ring, a multiple of EP_DESCRIPTOR_SIZE */
#define EP_QUEUE_BASE_HI	0x0c
#define EP_QUEUE_SIZE		0x10		/* descriptors, a power of two */
#define  EP_QUEUE_SIZE_MIN	2u
#define  EP_QUEUE_SIZE_MAX	4096u
#define EP_QUEUE_HEAD		0x14		/* descriptor that the next packet takes, read only */
#define EP_QUEUE_TAIL		0x18		/* doorbell: those before it are the device's */
#define EP_QUEUE_BUFFER		0x1c		/* receive: bytes of each payload buffer, 1 .. 65536 */
#define EP_QUEUE_HEADER		0x20		/* receive, with SPLIT: bytes of a header, 1 .. 256 */
#define EP_QUEUE_VECTOR		0x24		/* MSI-X vector */
#define EP_QUEUE_HINT_DESCRIPTOR 0x28		/* as EP_DMA_HINT, any time: for descriptors written back, */
#define EP_QUEUE_HINT_HEADER	0x2c		/* for headers, */
#define EP_QUEUE_HINT_PAYLOAD	0x30		/* and for payload */
#define EP_QUEUE_FAULT		0x34		/* EP_FAULT_*, read only, as what follows */
#define EP_QUEUE_PACKETS	0x38		/* done since the queue was enabled */
#define EP_QUEUE_BYTES		0x3c		/* of them */
#define EP_QUEUE_TLPS		0x40		/* memory requests made for them */
#define EP_QUEUE_DROPS		0x44		/* packets: no descriptor, too long, or the queue stopped */

/* A descriptor, little endian: the device reads the first part and writes the second. */
#define EP_DESCRIPTOR_SIZE	32u
#define EP_DESCRIPTOR_PAYLOAD	0x00		/* IOVA of the payload's buffer */
#define EP_DESCRIPTOR_HEADER	0x08		/* IOVA of the header's, if there is one */
#define EP_DESCRIPTOR_STATUS	0x1c		/* written last */
#define  EP_DESCRIPTOR_DONE	0x00000001u

/* of a receive queue */
#define EP_RXD_WRITTEN		0x10		/* from here on the device writes: */
#define EP_RXD_NUMBER		0x10		/* the packet's number, */
#define EP_RXD_HASH		0x14		/* its hash, */
#define EP_RXD_LENGTH		0x18		/* bytes of header (31:16) and payload (15:0), and status */

/* of a transmit queue */
#define EP_TXD_LENGTH		0x10		/* bytes of header (31:16) and payload (15:0) */
#define EP_TXD_WRITTEN		0x14		/* from here on the device writes: */
#define EP_TXD_NUMBER		0x14		/* as which packet it was sent, */
#define EP_TXD_HASH		0x18		/* its hash, and status */

/*
 * The bus analyzer: the last EP_TRACE_SLOTS TLPs that this function sent, and the last that it
 * received from other functions; survives resets. Of a received one the address is the offset in
 * the BAR.
 */
#define EP_TRACE_HEAD		0x300		/* TLPs so far; i is in slot i % EP_TRACE_SLOTS */
#define EP_RECEIVED_HEAD	0x304		/* likewise, of those received */
#define EP_RECEIVED		0x2000
#define EP_TRACE		0x4000
#define EP_TRACE_SLOTS		256u
#define EP_TRACE_STRIDE		32u
#define EP_REGISTERS_END	0x6000		/* none from here on */
#define EP_TLP_SEQ		0x00		/* i */
#define EP_TLP_FLAGS		0x04
#define  EP_TLP_TYPE_MASK	0x0000000fu
#define   EP_TLP_MWR		1u
#define   EP_TLP_MRD		2u
#define  EP_TLP_KIND_SHIFT	4
#define  EP_TLP_KIND_MASK	0x000000f0u
#define   EP_TLP_DMA		0u		/* of the DMA engine */
#define   EP_TLP_FETCH		1u		/* of a queue: reads a descriptor */
#define   EP_TLP_DESCRIPTOR	2u		/* writes one back */
#define   EP_TLP_HEADER		3u		/* writes or reads a header */
#define   EP_TLP_PAYLOAD	4u		/* writes or reads payload */
#define  EP_TLP_TH		0x00000100u
#define  EP_TLP_TRANSMIT	0x00000200u	/* the queue is a transmit queue */
#define  EP_TLP_PH_SHIFT	12
#define  EP_TLP_PH_MASK		0x00003000u
#define  EP_TLP_WIDTH_SHIFT	16
#define  EP_TLP_WIDTH_MASK	0x00ff0000u	/* 0 without a tag namespace (TH = 0), 8 or 16 */
#define  EP_TLP_QUEUE_SHIFT	24
#define  EP_TLP_QUEUE_MASK	0xff000000u	/* which queue; 0 for the DMA engine, too */
#define EP_TLP_ST		0x08
#define EP_TLP_LENGTH		0x0c		/* bytes */
#define EP_TLP_ADDR_LO		0x10
#define EP_TLP_ADDR_HI		0x14
#define EP_TLP_RID		0x18		/* requester id */
#define EP_TLP_ARRIVAL		0x1c		/* received ones: where, and what became of it */
#define  EP_TLP_BAR_MASK	0x0000000fu
#define  EP_TLP_VERDICT_SHIFT	8
#define  EP_TLP_VERDICT_MASK	0x00000f00u
#define   EP_TLP_ACCEPTED	0u
#define   EP_TLP_MALFORMED	1u		/* extended tag, and the function knows none */
#define   EP_TLP_UNSUPPORTED	2u		/* BARs do not answer */
#define  EP_TLP_HINT_USE_SHIFT	12
#define  EP_TLP_HINT_USE_MASK	0x0000f000u
#define   EP_TLP_HINT_NONE	0u
#define   EP_TLP_HINT_IGNORED	1u
#define   EP_TLP_HINT_TAKEN	2u

#endif /* EMU_ENDPOINT_REGS_H */

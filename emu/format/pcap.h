/* SPDX-License-Identifier: MIT */
/* The pcap file format, of which files are read and written (draft-ietf-opsawg-pcap). */
#ifndef EMU_PCAP_H
#define EMU_PCAP_H

#define PCAP_MAGIC_MICRO     0xa1b2c3d4u
#define PCAP_MAGIC_NANO	     0xa1b23c4du
#define PCAP_MAGIC_MICRO_BIG 0xd4c3b2a1u
#define PCAP_MAGIC_NANO_BIG  0x4d3cb2a1u
#define PCAP_MAGIC_NG	     0x0a0d0d0au /* of pcapng */

/* the file's header: offsets */
#define PCAP_VERSION_AT	      4
#define PCAP_VERSION_MAJOR    2
#define PCAP_VERSION_MINOR_AT 6
#define PCAP_VERSION_MINOR    4
#define PCAP_SNAP_AT	      16
#define PCAP_LINK_AT	      20
#define PCAP_LINK_ETHERNET    1
#define PCAP_FILE_HEADER      24u

/* a packet's */
#define PCAP_SECONDS_AT	   0
#define PCAP_FRACTION_AT   4
#define PCAP_CAPTURED_AT   8
#define PCAP_ORIGINAL_AT   12
#define PCAP_RECORD_HEADER 16u

#endif /* EMU_PCAP_H */

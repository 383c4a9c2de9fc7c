/* SPDX-License-Identifier: BSD-2-Clause */
/* Where does lbd keep things, unless lbd.json says otherwise? */
#ifndef LB_PATHS_H
#define LB_PATHS_H

#define LB_CONFIG_DEFAULT "/etc/lbd/lbd.json"
#define LB_PIN_DIR_DEFAULT "/sys/fs/bpf/lbd"
/* And the interface's index: its program, attached while this is there. */
#define LB_PIN_LINK "link_"

#endif

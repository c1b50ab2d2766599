// Package fencecluster has the fence agent judged by those who will call it: the tools of
// fence-agents, Pacemaker's fencer alone, and a whole cluster on loopback. The nodes are instances
// of the stand-in. `make fence-cluster` installs Debian's packages and runs it, as root.
//
// It puts the agent into /usr/sbin and runs a cluster of the machine's own, and takes both away.
// It refuses a machine that has a cluster already.
package fencecluster

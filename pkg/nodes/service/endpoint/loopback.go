package endpoint

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"net"
	"os"
	"strconv"
	"strings"
)

// loopbackUser is the user of the other end of a connection over loopback, as the kernel tells.
func loopbackUser(remote, local *net.TCPAddr) (int, bool) {
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		if uid, ok := userIn(table, remote, local); ok {
			return uid, true
		}
	}
	return 0, false
}

// userIn looks for the other end in one of the kernel's tables. A row has its number, its own
// address, the other one's, and at fixed places the user and the inode.
func userIn(table string, remote, local *net.TCPAddr) (int, bool) {
	f, err := os.Open(table)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	const ownAt, otherAt, userAt, inodeAt = 1, 2, 7, 9
	for rows := bufio.NewScanner(f); rows.Scan(); {
		row := strings.Fields(rows.Text())
		if len(row) <= inodeAt || !isAt(row[ownAt], remote) || !isAt(row[otherAt], local) {
			continue
		}
		// A socket that nobody has any more is told to be root's.
		if row[inodeAt] == "0" {
			return 0, false
		}
		uid, err := strconv.Atoi(row[userAt])
		return uid, err == nil
	}
	return 0, false
}

// isAt reports whether an address as the kernel writes it is this one: words of four bytes, each in
// the machine's order, and the port, in hexadecimal digits.
func isAt(text string, a *net.TCPAddr) bool {
	address, port, _ := strings.Cut(text, ":")
	n, err := strconv.ParseUint(port, 16, 16)
	if err != nil || int(n) != a.Port {
		return false
	}
	words, err := hex.DecodeString(address)
	if err != nil || len(words)%4 != 0 {
		return false
	}
	ip := make(net.IP, len(words))
	for i := 0; i < len(words); i += 4 {
		binary.BigEndian.PutUint32(ip[i:], binary.NativeEndian.Uint32(words[i:]))
	}
	return ip.Equal(a.IP)
}

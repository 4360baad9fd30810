package egress

// A Use is what a connection is for. It decides which ports are open.
type Use uint8

// The uses of a connection.
const (
	Plain   Use = iota // requests that guise reads
	Connect            // tunnels, of which guise sees bytes only
)

// A PortRange is the ports from First to Last, both included.
type PortRange struct{ First, Last uint16 }

// Contains reports whether port is in r.
func (r PortRange) Contains(port uint16) bool { return r.First <= port && port <= r.Last }

var (
	defaultPorts        = []PortRange{{80, 80}, {443, 443}, {1024, 65535}}
	defaultConnectPorts = []PortRange{{443, 443}}
)

// openPorts says which ports are open. A closed port within a wide range stays
// closed; named on its own it is open, because someone meant it.
type openPorts struct {
	ranges []PortRange
	closed map[uint16]string // nil closes none
}

func (o openPorts) contains(port uint16) bool {
	within := false
	for _, r := range o.ranges {
		if r.First == port && r.Last == port {
			return true
		}
		within = within || r.Contains(port)
	}
	return within && o.closed[port] == ""
}

// abusedPorts are where an open proxy gets its operator into trouble: mail,
// and the other services that can be talked into something by what looks like
// HTTP (Fetch §2.9, port blocking). Browsers refuse all but the last few.
var abusedPorts = map[uint16]string{
	1: "tcpmux", 7: "echo", 9: "discard", 11: "systat", 13: "daytime", 15: "netstat",
	17: "qotd", 19: "chargen", 20: "ftp-data", 21: "ftp", 22: "ssh", 23: "telnet",
	25: "smtp", 37: "time", 42: "name", 43: "nicname", 53: "domain", 69: "tftp",
	77: "priv-rjs", 79: "finger", 87: "ttylink", 95: "supdup", 101: "hostname",
	102: "iso-tsap", 103: "gppitnp", 104: "acr-nema", 109: "pop2", 110: "pop3",
	111: "sunrpc", 113: "auth", 115: "sftp", 117: "uucp-path", 119: "nntp", 123: "ntp",
	135: "epmap", 137: "netbios-ns", 139: "netbios-ssn", 143: "imap", 161: "snmp",
	179: "bgp", 389: "ldap", 427: "svrloc", 465: "submissions", 512: "exec", 513: "login",
	514: "shell", 515: "printer", 526: "tempo", 530: "courier", 531: "chat",
	532: "netnews", 540: "uucp", 548: "afp", 554: "rtsp", 556: "remotefs", 563: "nntps",
	587: "submission", 601: "syslog-conn", 636: "ldaps", 989: "ftps-data", 990: "ftps",
	993: "imaps", 995: "pop3s", 1719: "h323gatestat", 1720: "h323hostcall", 1723: "pptp",
	2049: "nfs", 3659: "apple-sasl", 4045: "npp", 4190: "sieve", 5060: "sip", 5061: "sips",
	6000: "x11", 6566: "sane-port", 6665: "irc", 6666: "irc", 6667: "irc", 6668: "irc",
	6669: "irc", 6679: "osaut", 6697: "ircs-u", 10080: "amanda",

	445:   "microsoft-ds",
	2525:  "smtp, by custom of mail providers",
	3389:  "ms-wbt-server", // remote desktops, the usual target of password guessing
	5900:  "rfb",           // likewise
	6379:  "redis",         // runs the lines it understands and skips a request's other lines
	11211: "memcached",     // likewise
}

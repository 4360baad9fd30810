//go:build linux

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// A peer is a proxy to compare. Its cells stay empty for workloads that it cannot do.
type peer struct {
	name    string
	pkg     string // Debian's; "" for guise
	program string
	caches  bool
	tunnels bool
	note    string // beside the name in the table

	// configure writes what the peer needs into s and returns its command.
	configure func(s *site) ([]string, error)
}

// A site is where one peer runs: a directory, and addresses that are free.
type site struct {
	dir     string
	listen  string // for HTTP, and for CONNECT unless direct
	direct  string // TCP to the origin's TLS without CONNECT; "" if CONNECT does it
	bulk    string // likewise to the bulk transfer
	echo    string
	origin  *origin
	profile string // file for a CPU profile; guise only
}

// write makes a file of the site and returns its path.
func (s *site) write(name, text string) (string, error) {
	path := filepath.Join(s.dir, name)
	return path, os.WriteFile(path, []byte(text), 0o644)
}

// one writes text into the only configuration file, and returns command with its path.
func (s *site) one(text string, command ...string) ([]string, error) {
	path, err := s.write("bench.conf", text)
	return append(command, path), err
}

func port(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// fill replaces the names in a configuration.
func (s *site) fill(text string) string {
	return strings.NewReplacer(
		"{dir}", s.dir, "{port}", port(s.listen), "{origin}", s.origin.Plain,
		"{originport}", port(s.origin.Plain), "{tls}", s.origin.TLS, "{tlsport}", port(s.origin.TLS),
		"{bulkport}", port(s.origin.Bulk), "{echoport}", port(s.origin.Echo),
	).Replace(text)
}

var peers = []*peer{
	{name: "guise", program: "guise", caches: true, tunnels: true, configure: configureGuise},
	{name: "squid", pkg: "squid-openssl", program: "squid", caches: true, tunnels: true, configure: func(s *site) ([]string, error) {
		return s.one(s.fill(`http_port 127.0.0.1:{port}
http_access allow all
cache_mem 256 MB
maximum_object_size_in_memory 1 MB
memory_cache_mode always
access_log none
cache_log {dir}/cache.log
cache_store_log none
pid_filename none
coredump_dir {dir}
netdb_filename none
via off
forwarded_for delete
shutdown_lifetime 0 seconds
`), "squid", "-N", "-n", fmt.Sprint("guise", os.Getpid()), "-f") // a name of its own for the memory that it shares
	}},
	{name: "privoxy", pkg: "privoxy", program: "privoxy", tunnels: true, configure: func(s *site) ([]string, error) {
		return s.one(s.fill(`listen-address 127.0.0.1:{port}
confdir /etc/privoxy
logdir {dir}
toggle 0
enable-remote-toggle 0
enable-edit-actions 0
max-client-connections 8000
keep-alive-timeout 300
default-server-timeout 300
connection-sharing 1
tolerate-pipelining 1
socket-timeout 300
`), "privoxy", "--no-daemon")
	}},
	{name: "tinyproxy", pkg: "tinyproxy", program: "tinyproxy", tunnels: true, configure: func(s *site) ([]string, error) {
		return s.one(s.fill(`Port {port}
Listen 127.0.0.1
Timeout 600
LogFile "{dir}/log"
LogLevel Critical
MaxClients 8000
DisableViaHeader Yes
`), "tinyproxy", "-d", "-c")
	}},
	{name: "trafficserver", pkg: "trafficserver", program: "traffic_server", caches: true, tunnels: true, configure: configureTrafficServer},
	{name: "nginx", pkg: "nginx", program: "nginx", caches: true, note: "reverse", configure: func(s *site) ([]string, error) {
		return s.one(s.fill(`worker_processes 2;
worker_rlimit_nofile 20000;
daemon off;
pid {dir}/pid;
error_log /dev/null;
events { worker_connections 8000; }
http {
	access_log off;
	client_body_temp_path {dir}/body;
	proxy_temp_path {dir}/temp;
	fastcgi_temp_path {dir}/fastcgi;
	uwsgi_temp_path {dir}/uwsgi;
	scgi_temp_path {dir}/scgi;
	proxy_cache_path {dir}/cache keys_zone=c:10m max_size=256m;
	keepalive_requests 1000000000;
	keepalive_timeout 600;
	sendfile on;
	open_file_cache max=1000 inactive=600s;
	upstream origin { server {origin}; keepalive 200; keepalive_requests 1000000000; }
	server {
		listen 127.0.0.1:{port} backlog=4096;
		location / {
			proxy_pass http://origin;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_cache c;
			proxy_buffers 16 8k;
		}
	}
}
`), "nginx", "-c")
	}},
	{name: "haproxy", pkg: "haproxy", program: "haproxy", caches: true, tunnels: true, note: "reverse", configure: func(s *site) ([]string, error) {
		for _, at := range []*string{&s.direct, &s.bulk, &s.echo} {
			address, err := freeAddress()
			if err != nil {
				return nil, err
			}
			*at = address
		}
		var tunnels strings.Builder
		for at, to := range map[string]string{s.direct: s.origin.TLS, s.bulk: s.origin.Bulk, s.echo: s.origin.Echo} {
			fmt.Fprintf(&tunnels, "listen %s\n\tmode tcp\n\toption splice-auto\n\tbind %[1]s\n\tserver to %s\n", at, to)
		}
		return s.one(s.fill(`global
	maxconn 6000
	nbthread 2
defaults
	timeout connect 10s
	timeout client 600s
	timeout server 600s
	timeout http-keep-alive 600s
cache c
	total-max-size 256
	max-object-size 1000000
	max-age 86400
frontend in
	mode http
	bind 127.0.0.1:{port}
	default_backend origin
backend origin
	mode http
	http-reuse always
	http-request cache-use c
	http-response cache-store c
	server to {origin}
`)+tunnels.String(), "haproxy", "-db", "-f")
	}},
	{name: "varnish", pkg: "varnish", program: "varnishd", caches: true, note: "reverse", configure: func(s *site) ([]string, error) {
		vcl, err := s.write("bench.vcl", s.fill(`vcl 4.1;
backend default { .host = "127.0.0.1"; .port = "{originport}"; }
sub vcl_recv {
	if (req.url ~ "/fresh/") { return (pass); }
	return (hash);
}
sub vcl_backend_response {
	if (bereq.url ~ "/fresh/") { set beresp.uncacheable = true; set beresp.ttl = 0s; return (deliver); }
}
`))
		return []string{"varnishd", "-F", "-f", vcl, "-a", s.listen, "-n", filepath.Join(s.dir, "work"),
			"-s", "malloc,256m", "-j", "none", "-p", "timeout_idle=600", "-T", "none"}, err
	}},
}

func peerNames() []string {
	var names []string
	for _, p := range peers {
		names = append(names, p.name)
	}
	return names
}

// configureGuise configures guise's defaults: all filters, the firefox persona, a
// disguised cache. Only what an origin on loopback needs is allowed in addition.
func configureGuise(s *site) ([]string, error) {
	program := filepath.Join(s.dir, "guise")
	if err := buildGuise(program, s); err != nil {
		return nil, err
	}
	path, err := s.write("guise.yaml", s.fill(`listeners:
  - {address: "127.0.0.1:{port}", protocol: http}
destinations:
  connect_ports: [{tlsport}, {bulkport}, {echoport}]
  allow: ["127.0.0.0/8"]
`))
	return []string{program, "serve", "--config", path}, err
}

// configureTrafficServer makes a run root, the one way to run Traffic Server
// beside an installed one.
func configureTrafficServer(s *site) ([]string, error) {
	root := filepath.Join(s.dir, "root")
	files := map[string]string{
		"runroot.yaml": `prefix: ` + root + `
exec_prefix: ` + root + `
bindir: /usr/bin
sbindir: /usr/sbin
sysconfdir: ` + root + `/etc
datadir: ` + root + `/cache
includedir: ` + root + `
libdir: /usr/lib
libexecdir: /usr/lib/trafficserver/modules
localstatedir: ` + root + `
runtimedir: ` + root + `/run
logdir: ` + root + `/log
mandir: ` + root + `
infodir: ` + root + `
cachedir: ` + root + `/cache
`,
		"etc/records.config": s.fill(`CONFIG proxy.config.http.server_ports STRING {port}:ipv4
CONFIG proxy.config.url_remap.remap_required INT 0
CONFIG proxy.config.reverse_proxy.enabled INT 0
CONFIG proxy.config.url_remap.pristine_host_hdr INT 1
CONFIG proxy.config.http.connect_ports STRING {tlsport} {bulkport} {echoport}
CONFIG proxy.config.http.insert_request_via_str INT 0
CONFIG proxy.config.http.insert_response_via_str INT 0
CONFIG proxy.config.http.server_session_sharing.pool STRING thread
CONFIG proxy.config.exec_thread.autoconfig INT 0
CONFIG proxy.config.exec_thread.limit INT 2
CONFIG proxy.config.net.connections_throttle INT 20000
CONFIG proxy.config.cache.ram_cache.size INT 268435456
CONFIG proxy.config.log.logging_enabled INT 0
CONFIG proxy.config.diags.debug.enabled INT 0
CONFIG proxy.config.hostdb.storage_path STRING {dir}/root/cache
CONFIG proxy.config.admin.user_id STRING #-1
CONFIG proxy.config.http.keep_alive_no_activity_timeout_in INT 600
CONFIG proxy.config.http.keep_alive_no_activity_timeout_out INT 600
CONFIG proxy.config.http.transaction_no_activity_timeout_in INT 600
CONFIG proxy.config.http.transaction_no_activity_timeout_out INT 600
`),
		"etc/storage.config": root + "/cache 256M\n",
		"etc/ip_allow.yaml":  "ip_allow:\n  - apply: in\n    ip_addrs: 127.0.0.0/8\n    action: allow\n    methods: ALL\n",
	}
	for _, folder := range []string{"etc", "run", "log", "cache"} {
		if err := os.MkdirAll(filepath.Join(root, folder), 0o777); err != nil {
			return nil, err
		}
	}
	for name, text := range files {
		if _, err := s.write(filepath.Join("root", name), text); err != nil {
			return nil, err
		}
	}
	return []string{"traffic_server", "--run-root=" + filepath.Join(root, "runroot.yaml")}, nil
}

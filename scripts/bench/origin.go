//go:build linux

package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// The origin runs in a process of its own, so that neither its work nor its
// garbage is the load's. It answers from memory with as few system calls as
// can be.

const originArgument = "origin" // makes this program the origin

// originAddresses is what the origin writes to its standard output, as JSON.
type originAddresses struct {
	Plain string // HTTP
	TLS   string // HTTPS, one self-signed certificate
	Bulk  string // sends as many bytes as the line it gets says
	Echo  string // sends back what it gets
}

type origin struct {
	originAddresses
	process *exec.Cmd
}

func startOrigin() (*origin, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	o := &origin{process: exec.Command(self, originArgument)}
	o.process.Stderr = os.Stderr
	out, err := o.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if _, err := o.process.StdinPipe(); err != nil { // when this process ends, so does the pipe, and the origin
		return nil, err
	}
	if err := o.process.Start(); err != nil {
		return nil, err
	}
	if err := json.NewDecoder(out).Decode(&o.originAddresses); err != nil {
		o.stop()
		return nil, fmt.Errorf("start the origin: %w", err)
	}
	return o, nil
}

func (o *origin) stop() {
	o.process.Process.Kill()
	o.process.Wait()
}

// serveOrigin runs until standard input ends.
func serveOrigin() {
	answers := makeAnswers()
	config := &tls.Config{Certificates: []tls.Certificate{selfSigned()}}
	at := originAddresses{
		Plain: listenAndServe(func(c net.Conn) { answer(c, answers) }),
		TLS:   listenAndServe(func(c net.Conn) { answer(tls.Server(c, config), answers) }),
		Bulk:  listenAndServe(sendBulk),
		Echo:  listenAndServe(func(c net.Conn) { io.Copy(c, c) }),
	}
	json.NewEncoder(os.Stdout).Encode(at)
	io.Copy(io.Discard, os.Stdin)
}

func listenAndServe(serve func(net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: origin:", err)
		os.Exit(1)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				continue
			}
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
	return l.Addr().String()
}

// Objects have three sizes and are of two kinds: to store, and never to store.
// Each has its own bytes, so that mixed up answers show.
const objects = 64

var (
	sizes = []int{1 << 10, 64 << 10, 1 << 20}
	kinds = map[string]string{ // to their Cache-Control
		"store": "max-age=86400",
		"fresh": "no-store",
	}
)

// objectPath is the path of one object.
func objectPath(kind string, size, id int) string {
	return "/" + kind + "/" + strconv.Itoa(size) + "/" + strconv.Itoa(id)
}

// objectBody is what the object id of a size consists of.
func objectBody(size, id int) []byte {
	b := make([]byte, size)
	x := uint32(size) + uint32(id)*2654435761
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = "0123456789abcdefghijklmnopqrstuv"[x>>27]
	}
	return b
}

func makeAnswers() map[string][]byte {
	answers := make(map[string][]byte)
	date := time.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")
	for kind, cacheControl := range kinds {
		for _, size := range sizes {
			for id := range objects {
				head := fmt.Sprintf("HTTP/1.1 200 OK\r\nServer: bench\r\nDate: %s\r\nContent-Type: text/plain; charset=utf-8\r\n"+
					"Content-Length: %d\r\nLast-Modified: Mon, 02 Mar 2026 10:00:00 GMT\r\nETag: \"%d-%d\"\r\nCache-Control: %s\r\n\r\n",
					date, size, size, id, cacheControl)
				answers[objectPath(kind, size, id)] = append([]byte(head), objectBody(size, id)...)
			}
		}
	}
	return answers
}

// answer serves one connection. Requests have no body and are not pipelined.
func answer(c net.Conn, answers map[string][]byte) {
	defer c.Close()
	buf := make([]byte, 16<<10)
	for n := 0; ; {
		m, err := c.Read(buf[n:])
		if err != nil {
			return
		}
		n += m
		if !bytes.HasSuffix(buf[:n], []byte("\r\n\r\n")) {
			continue
		}
		_, target, _ := bytes.Cut(buf[:n], []byte(" "))
		target, _, _ = bytes.Cut(target, []byte(" "))
		if rest, ok := bytes.CutPrefix(target, []byte("http://")); ok {
			target = rest[max(0, bytes.IndexByte(rest, '/')):]
		}
		target, _, _ = bytes.Cut(target, []byte("?"))
		out := answers[string(target)]
		if out == nil {
			out = []byte("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
		}
		if _, err := c.Write(out); err != nil {
			return
		}
		if bytes.HasPrefix(buf[:n], []byte("GET ")) && bytes.Contains(buf[:n], []byte("\r\nConnection: close\r\n")) {
			return
		}
		n = 0
	}
}

// bulkPiece is what a bulk transfer repeats.
var bulkPiece = objectBody(64<<10, 0)

func sendBulk(c net.Conn) {
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return
	}
	left, _ := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	for left > 0 {
		n, err := c.Write(bulkPiece[:min(left, int64(len(bulkPiece)))])
		if err != nil {
			return
		}
		left -= int64(n)
	}
}

func selfSigned() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

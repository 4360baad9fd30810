package egress

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/net/dns/dnsmessage"
)

// A LookupError is a look-up that failed. RCode is what the name servers said, such
// as "SERVFAIL" (the names of RFC 8499 §3); "NOERROR" means that the name has no
// address.
type LookupError struct {
	*net.DNSError
	RCode string
}

// Unwrap returns what package net says.
func (e *LookupError) Unwrap() error { return e.DNSError }

// rcodes are the response codes that came during a look-up: package net keeps them
// to itself. They are safe for concurrent use.
type rcodes struct {
	seen   atomic.Uint32 // bit n for the code n
	kinds  atomic.Uint32 // of addresses in question, as bits; see kindOf
	failed atomic.Bool   // a question could not be asked, or was not answered
	silent atomic.Bool   // one was not answered in time
	closed atomic.Bool   // the name is an alias of a closed host
	short  atomic.Uint32 // the system's error if it was [Short]; 0 for none
}

type rcodesKey struct{}

type rcodeName struct {
	code  uint32
	name  string
	fails bool // the fault is the server's, whatever the name
}

// rcodeNames are the codes that end a look-up, the one that says most about the name
// first.
var rcodeNames = []rcodeName{
	{3, "NXDOMAIN", false},
	{2, "SERVFAIL", true}, {5, "REFUSED", true}, {1, "FORMERR", true}, {4, "NOTIMP", true},
	{0, "NOERROR", false},
}

// rcodeOf returns the code of an answer (RFC 1035 §4.1.1), or false if it is none.
func rcodeOf(answer []byte) (code uint32, ok bool) {
	if len(answer) < 4 || answer[2]&0x80 == 0 {
		return 0, false
	}
	return uint32(answer[3] & 0x0f), true
}

// add notes the code of an answer, if anybody asks.
func (r *rcodes) add(answer []byte) {
	if code, ok := rcodeOf(answer); ok && r != nil {
		r.seen.Or(1 << code)
		r.kinds.Or(kindOf(answer))
	}
}

const bothKinds = 1 | 2

// kindOf returns the bit of the kind of address that an answer is about, 0 for none.
func kindOf(answer []byte) uint32 {
	var p dnsmessage.Parser
	if _, err := p.Start(answer); err != nil {
		return 0
	}
	switch asked, _ := p.Question(); asked.Type {
	case dnsmessage.TypeA:
		return 1
	case dnsmessage.TypeAAAA:
		return 2
	}
	return 0
}

// missed notes err, unless it is nil, of a question that could not be asked, or was not
// answered. Package net keeps that to itself as well.
func (r *rcodes) missed(err error) {
	if r == nil || err == nil {
		return
	}
	r.failed.Store(true)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		r.silent.Store(true)
	}
	if number, ok := errors.AsType[syscall.Errno](err); ok && Short(err) {
		r.short.Store(uint32(number))
	}
}

// of returns the error of the look-up, for package net's err: with the response code, if
// this look-up saw it. One that shares another's answer does not.
func (r *rcodes) of(err *net.DNSError) error {
	seen, short := r.seen.Load(), r.short.Load()
	half, silent := r.failed.Load() && r.kinds.Load() != bothKinds, r.silent.Load()
	for _, r := range rcodeNames {
		if r.name == "NOERROR" && (short != 0 || half) {
			break // that was for one kind of address, and the other has no answer
		}
		if seen&(1<<r.code) != 0 && (err.IsNotFound || r.fails) {
			return &LookupError{err, r.name}
		}
	}
	switch {
	case short != 0:
		return syscall.Errno(short)
	case half && silent && err.IsNotFound:
		return &net.DNSError{Err: "no answer in time", IsTimeout: true}
	case half && err.IsNotFound:
		return &net.DNSError{Err: "no answer about one kind of address"}
	}
	return err
}

// blamesServer reports whether an answer shows a fault of the server rather than something
// about the name, so that the next server is to be asked: a code of failure, a message that
// is cut or no answer to question, or a mere referral (RFC 1034 §4.3.1).
func blamesServer(question, answer []byte) bool {
	var asked, said dnsmessage.Parser
	to, err := asked.Start(question)
	if err != nil {
		return false // whatever is said to it
	}
	about, _ := asked.Question()
	head, err := said.Start(answer)
	if err != nil || !head.Response || head.ID != to.ID {
		return true
	}
	echoed, err := said.Question()
	if err != nil || echoed.Type != about.Type || plainName(echoed.Name) != plainName(about.Name) || said.SkipAllQuestions() != nil {
		return true
	}
	_, err = said.AnswerHeader()
	none := err == dnsmessage.ErrSectionDone
	switch head.RCode {
	case dnsmessage.RCodeNameError:
		return false
	case dnsmessage.RCodeSuccess:
		return said.SkipAllAnswers() != nil || none && !head.Authoritative && !head.RecursionAvailable
	}
	return true
}

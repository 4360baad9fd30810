package cache

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func benchRequest(b *testing.B, path string) *http.Request {
	ctx := WithVisitor(context.Background(), Visitor{Client: "client", Site: "site.example"})
	r, err := http.NewRequestWithContext(ctx, "GET", "http://origin.example"+path, nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "gzip, deflate, br")
	r.Header.Set("Accept-Language", "en-US,en;q=0.5")
	r.Header.Set("User-Agent", "Mozilla/5.0")
	return r
}

var benchBody = strings.Repeat("x", 16<<10)

func benchOrigin(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: 200, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{
			"Cache-Control": {"public, max-age=86400"}, "Content-Type": {"text/css"}, "Etag": {`"0123456789abcdef"`},
			"Content-Length": {fmt.Sprint(len(benchBody))}, "Vary": {"Accept-Encoding"},
			"Last-Modified": {"Wed, 01 Jan 2020 00:00:00 GMT"}, "Date": {"Thu, 29 Feb 2024 12:00:00 GMT"},
		},
		ContentLength: int64(len(benchBody)), Body: io.NopCloser(strings.NewReader(benchBody)),
	}, nil
}

func BenchmarkHit(b *testing.B) {
	for _, sharing := range []Sharing{Shared, Disguised, PerClient} {
		b.Run(fmt.Sprintf("mode %d", sharing), func(b *testing.B) {
			clk := newClock()
			c := New(Options{Sharing: sharing, Now: clk.Now})
			c.sleep = clk.sleep
			defer c.Close()
			rt := c.Transport(roundTripper(benchOrigin))
			r := benchRequest(b, "/style.css")
			for range 2 {
				resp, _ := rt.RoundTrip(r)
				drain(resp.Body, 1<<20)
				c.settled()
				clk.advance(time.Second) // past the beat of the first
			}
			b.ReportAllocs()
			for b.Loop() {
				resp, err := rt.RoundTrip(r)
				if err != nil || resp.Header["Age"] == nil {
					b.Fatal("no hit")
				}
				resp.Body.Close()
			}
		})
	}
}

// A miss that is not stored: what the cache costs those it does not help.
func BenchmarkMiss(b *testing.B) {
	c := New(Options{Sharing: Shared})
	defer c.Close()
	rt := c.Transport(roundTripper(func(r *http.Request) (*http.Response, error) {
		resp, err := benchOrigin(r)
		resp.Header["Cache-Control"] = []string{"no-store"}
		return resp, err
	}))
	r := benchRequest(b, "/")
	b.ReportAllocs()
	for b.Loop() {
		resp, err := rt.RoundTrip(r)
		if err != nil {
			b.Fatal(err)
		}
		resp.Body.Close()
	}
}

// A miss that is stored, in a store that is full.
func BenchmarkStore(b *testing.B) {
	c := New(Options{Sharing: Shared, Memory: 4 << 20})
	defer c.Close()
	rt := c.Transport(roundTripper(benchOrigin))
	b.ReportAllocs()
	b.SetBytes(int64(len(benchBody)))
	for i := 0; b.Loop(); i++ {
		resp, err := rt.RoundTrip(benchRequest(b, fmt.Sprint("/", i)))
		if err != nil {
			b.Fatal(err)
		}
		drain(resp.Body, 1<<20)
	}
}

func BenchmarkHitParallel(b *testing.B) {
	c := New(Options{Sharing: Shared, Now: newClock().Now})
	defer c.Close()
	rt := c.Transport(roundTripper(benchOrigin))
	b.RunParallel(func(pb *testing.PB) {
		r := benchRequest(b, "/style.css")
		for pb.Next() {
			resp, err := rt.RoundTrip(r)
			if err != nil {
				b.Error(err)
				return
			}
			resp.Body.Close()
		}
	})
}

package cache

import (
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// A chunker writes what it copies in chunks as a server does: a copy begins with a small
// buffer, and goes on with a larger one if that was full.
type chunker struct{ sizes []int }

func (c *chunker) Write(p []byte) (int, error) {
	c.sizes = append(c.sizes, len(p))
	return len(p), nil
}

func (c *chunker) ReadFrom(r io.Reader) (int64, error) {
	buf := make([]byte, 4<<10)
	for total := int64(0); ; {
		n, err := r.Read(buf)
		total += int64(n)
		if n > 0 {
			c.Write(buf[:n])
		}
		switch {
		case err == io.EOF:
			return total, nil
		case err != nil:
			return total, err
		case n == 4<<10:
			buf = make([]byte, 64<<10)
		}
	}
}

// However a first use comes about, its client gets the same chunks at the same times, if
// there is nothing, too.
func TestFirstUsesAreWrittenAlike(t *testing.T) {
	const took, gap = 10300 * time.Microsecond, 20 * time.Millisecond
	for _, size := range []int{0, 10000} {
		stage(t, disguised, func(th *theatre) {
			th.c.model.float = func() float64 { return 0.5 }
			look := func(client string, fetched bool) string {
				time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
				begun := time.Now()
				v := th.visit(client, "")
				if fetched {
					cl := th.call()
					go func() {
						time.Sleep(took)
						cl.respond(storableFields, -1)
						for range 3 {
							time.Sleep(gap)
							cl.body.Write(make([]byte, size))
						}
						cl.body.Close()
					}()
				} else {
					th.quiet()
				}
				<-v.done
				head := time.Since(begun)
				var c chunker
				if _, err := io.Copy(&c, v.resp.Body); err != nil {
					t.Fatal(err)
				}
				end := time.Since(begun)
				v.resp.Body.Close()
				synctest.Wait()
				return fmt.Sprint(head, end, c.sizes)
			}
			first, inquired := look("a", true), look("b", true)
			th.c.model.origins.Purge()
			for range minSamples {
				th.c.model.record("http://origin.example", anew, took, time.Now(), habit{})
				th.c.model.recordBody("http://origin.example", timing{tail: 3 * gap, size: int64(3 * size), at: time.Now()}, habit{})
			}
			if drawn := look("c", false); drawn != first || inquired != first {
				t.Errorf("%d bytes: a fetch is like %s, an inquiry like %s, and what is drawn like %s", size, first, inquired, drawn)
			}
		})
	}
}

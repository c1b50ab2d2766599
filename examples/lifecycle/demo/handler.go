package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"aws-provider-executor/examples/internal/steps"
)

// handler is lifecycled as it listens to a queue.
type handler struct {
	process *exec.Cmd
	said    string
	ended   chan struct{}
}

// watch starts lifecycled on the queue, with a note beside it.
func (d *demo) watch(note string) {
	d.Do(func() error {
		url := d.srv.URL() + "/" + account + "/" + queue
		c := steps.Command{Program: "lifecycled", Args: []string{"watch", "--queue", url}, Env: d.env}
		if d.Whole {
			d.Ask(c.String(), note)
		} else {
			d.Ask("lifecycled watch --queue …/"+queue, note)
		}
		said, err := os.Create(filepath.Join(d.Dir, "said"))
		if err != nil {
			return err
		}
		defer said.Close()
		p := d.Process(c)
		p.Stdout, p.Stderr = said, said
		p.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := p.Start(); err != nil {
			return err
		}
		d.handler = &handler{process: p, said: said.Name(), ended: make(chan struct{})}
		go d.handler.wait()
		return nil
	})
}

// wait waits for the end of the process.
func (h *handler) wait() {
	_ = h.process.Wait()
	close(h.ended)
}

// stop ends the handler, if it runs, and the executors that it runs. Where whole outputs are asked
// for, it shows what the handler said.
func (d *demo) stop(by syscall.Signal) {
	h := d.handler
	if h == nil {
		return
	}
	d.handler = nil
	_ = syscall.Kill(-h.process.Process.Pid, by)
	<-h.ended
	d.Document(h.output())
}

// output is what the handler said so far.
func (h *handler) output() string {
	text, err := os.ReadFile(h.said)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// died is the error of a handler that ended by itself.
func (h *handler) died() error {
	return fmt.Errorf("lifecycled watch ended by itself (%s); it said:\n%s", h.process.ProcessState,
		h.output())
}

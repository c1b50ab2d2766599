package ec2sim

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/ec2sim/internal/api"
	"aws-provider-executor/pkg/ec2sim/internal/query"
	"aws-provider-executor/pkg/ec2sim/internal/queue"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

// EC2Events is the source of the events that EC2 has EventBridge pass on: an instance's state.
const EC2Events = world.EC2Events

// Queue is a queue of SQS as whoever runs the stand-in sees and sets it.
type Queue struct {
	Account string `json:"account,omitempty"` // the Sim's own when empty
	Region  string `json:"region,omitempty"`
	Name    string `json:"name"`
	// URL is the path of the queue's URL; only answered.
	URL string `json:"url,omitempty"`
	// Events are the sources whose events of the region go to the queue, and the ARNs of SNS's topics
	// that it is subscribed to.
	Events []string `json:"events,omitempty"`
	// VisibilitySeconds is how long a message that was received is hidden; SQS's 30 when nil.
	VisibilitySeconds *int `json:"visibilitySeconds,omitempty"`
	// Twice has each message given out twice, and NewestFirst in the wrong order.
	Twice       bool `json:"twice,omitempty"`
	NewestFirst bool `json:"newestFirst,omitempty"`
	// Visible and Hidden count its messages; only answered.
	Visible int `json:"visible"`
	Hidden  int `json:"hidden"`
}

// SetQueue makes a queue, or sets one that is there, whose messages stay.
func (s *Sim) SetQueue(q Queue) error {
	_, err := s.setQueue(q)
	return err
}

func (s *Sim) setQueue(in Queue) (Queue, error) {
	settings := queue.Default()
	if in.VisibilitySeconds != nil {
		settings.Visibility = time.Duration(*in.VisibilitySeconds) * time.Second
	}
	settings.Twice, settings.NewestFirst = in.Twice, in.NewestFirst
	if in.Name == "" || settings.Visibility < 0 {
		return in, fmt.Errorf("a queue has a name, and hides messages for 0 seconds or more")
	}
	at := s.placed(in.Account, in.Region)
	err := s.change(at, true, func(c *world.Change) error {
		known := c.World.Queues[in.Name]
		if known == nil {
			known = queue.New(in.Name, settings, c.Now)
			c.World.Queues[in.Name] = known
		}
		known.Settings = settings
		c.World.ListenOnly(in.Name, in.Events)
		return nil
	})
	if err != nil {
		return in, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mem.tellQueue(at, in.Name, s.cfg.now()), nil
}

// Message is one that somebody other than a caller of SQS puts into a queue.
type Message struct {
	Account string `json:"account,omitempty"` // the Sim's own when empty
	Region  string `json:"region,omitempty"`
	Queue   string `json:"queue"`
	Body    string `json:"body"`
}

// Put puts a message into a queue that is there.
func (s *Sim) Put(m Message) error {
	return s.change(s.placed(m.Account, m.Region), true, func(c *world.Change) error {
		q := c.World.Queues[m.Queue]
		if q == nil {
			return fmt.Errorf("there is no queue %q in %s", m.Queue, c.World.Region)
		}
		q.Put(m.Body, c.Now, c.Now)
		return nil
	})
}

// Queues are all queues, in the order of accounts, regions and names.
func (s *Sim) Queues() []Queue {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Queue{}
	for at := range s.mem.worlds {
		now := s.cfg.now()
		for _, name := range slices.Sorted(maps.Keys(s.mem.settled(at, now).Queues)) {
			list = append(list, s.mem.tellQueue(at, name, now))
		}
	}
	slices.SortFunc(list, func(a, b Queue) int {
		return strings.Compare(a.Account+" "+a.Region+" "+a.Name, b.Account+" "+b.Region+" "+b.Name)
	})
	return list
}

// tellQueue is a queue as it is now. The caller holds s.mu.
func (m *memory) tellQueue(at world.Place, name string, now time.Time) Queue {
	w := m.world(at)
	q := w.Queues[name].Clone()
	visible, hidden, delayed := q.Count(now)
	seconds := int(q.Settings.Visibility.Seconds())
	return Queue{Account: at.Account, Region: at.Region, Name: name,
		URL: "/" + at.Account + "/" + name, Events: w.Heard(name), VisibilitySeconds: &seconds,
		Twice: q.Settings.Twice, NewestFirst: q.Settings.NewestFirst,
		Visible: visible, Hidden: hidden + delayed}
}

// jsonParameters are the parameters of a call that is in JSON. It is false for another call.
func jsonParameters(r *http.Request, body []byte) (url.Values, bool) {
	target := r.Header.Get("X-Amz-Target")
	for _, service := range api.Services {
		name, ours := strings.CutPrefix(target, service.Target)
		if service.Target == "" || !ours {
			continue
		}
		form, err := query.FromJSON(body)
		if err != nil {
			form = url.Values{}
		}
		form.Set("Action", name)
		form.Set("Version", service.Version)
		return form, true
	}
	return nil, false
}

// endpointOf is the URL at which a call came in.
func endpointOf(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

// await waits until a call that had nothing to answer may have something: a world changes, or time
// brings something about. It returns false where the call's patience is over, or nobody waits for
// the answer any more.
func (s *Sim) await(in *inbound, until time.Time) bool {
	s.mu.Lock()
	wait, now := time.Until(until), s.cfg.now()
	at := world.Place{Account: s.mem.accountOf(in.arn), Region: in.call.Region}
	if next, some := s.mem.world(at).Next(now); some {
		wait = min(wait, next.Sub(now))
	}
	if s.mem.stirs == nil {
		s.mem.stirs = make(chan struct{})
	}
	stirs, ended := s.mem.stirs, in.mem.ended
	s.mu.Unlock()
	if !time.Now().Before(until) {
		return false
	}
	// Nothing is looked for more often than this, where the clock that events go by stands still.
	timer := time.NewTimer(max(wait, shortestWait))
	defer timer.Stop()
	select {
	case <-stirs:
	case <-timer.C:
	case <-in.gone:
		return false
	case <-ended:
		return false
	}
	return true
}

const shortestWait = 5 * time.Millisecond

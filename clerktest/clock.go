package clerktest

import (
	"slices"
	"sync"
	"time"
)

// A clock holds the time of a fake, and its scheduled events.
type clock struct {
	ahead  time.Duration // how far it is ahead of this machine's time
	moment time.Time     // of the event being performed; zero for none
	events []event       // in the order in which they happen
}

// An event is a change at a time.
type event struct {
	at      time.Time
	perform func()
}

func (c *clock) now() time.Time {
	if !c.moment.IsZero() {
		return c.moment
	}
	return time.Now().Add(c.ahead)
}

// schedule adds an event. It happens after earlier events of the same time.
func (c *clock) schedule(at time.Time, perform func()) {
	after, _ := slices.BinarySearchFunc(c.events, at, func(e event, at time.Time) int {
		if e.at.After(at) {
			return 1
		}
		return -1
	})
	c.events = slices.Insert(c.events, after, event{at, perform})
}

// catchUp performs the events that are due.
func (c *clock) catchUp() {
	for len(c.events) > 0 && !c.events[0].at.After(c.now()) {
		due := c.events[0]
		c.events = slices.Delete(c.events, 0, 1)
		c.moment = due.at
		due.perform()
		c.moment = time.Time{}
	}
}

// A mutex locks a fake. Locking it first performs the events that are due.
type mutex struct {
	sync.Mutex

	clock *clock
}

// Lock locks m and performs the events that are due.
func (m *mutex) Lock() {
	m.Mutex.Lock()
	m.clock.catchUp()
}

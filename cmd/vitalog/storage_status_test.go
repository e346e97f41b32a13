package main

import (
	"math"
	"testing"
	"time"

	"vitalog/blobstore"
	"vitalog/cloud"
	"vitalog/node"
)

func TestACostIsOfAYearAndOfRequestsOnlyWhenTheyAreKnown(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := storage{Prices: prices{Month: 0.02, Puts: 0.005, Gets: 0.0004, Out: 0.1}}
	s.Storage = node.Storage{Store: blobstore.Status{Bytes: 50e9}, Usage: cloud.Usage{Puts: 800, Lists: 200, Gets: 10_000, Down: 1e9}, Since: now.Add(-365 * 24 * time.Hour / 10)}
	s.estimate(now)
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	near("stored", s.Cost.Stored, 12)
	near("requests", s.Cost.Requests, 0.05+0.04)
	near("traffic", s.Cost.Traffic, 1)
	near("of no patient", s.Each, 0)
	s.Patients = 10
	s.estimate(now)
	near("of each of ten", s.Each, 1.309)
	s.Since, s.Cost = now.Add(-time.Minute), cost{}
	s.estimate(now)
	near("in the first hour", s.Cost.All, 12)
	if s.Cost.Measured {
		t.Error("a minute is no measure of a year")
	}
}

"""Tries out a deployed endpoint: does it serve what was asked for, and does it answer rightly and in time?"""
